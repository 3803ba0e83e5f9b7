/** Runs background functions locally as Lambda does, with the timeout of their contract. */
import { ulid } from 'ulid'
import { type BackgroundName, backgroundFunctions } from '../functions/background.ts'

type Handler = (event: unknown, context: unknown) => Promise<void>

/** Runs a background function on an event. Its errors are rethrown. */
export async function runBackground(name: BackgroundName, event: unknown): Promise<void> {
  const module: { handler: Handler } = await import(
    /* @vite-ignore */ new URL(`../functions/${name}.ts`, import.meta.url).href
  )
  const end = Date.now() + backgroundFunctions[name].timeoutSeconds * 1000
  await module.handler(event, { awsRequestId: ulid(), getRemainingTimeInMillis: () => end - Date.now() })
}
