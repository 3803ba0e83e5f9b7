/** Runs background functions locally as Lambda does, with the timeout of their contract. */
import { ulid } from 'ulid'
import { type BackgroundName, backgroundFunctions } from '../functions/background.ts'

type Handler = (event: unknown, context: unknown) => Promise<unknown>

/** Runs a background function on an event, and returns its result. Its errors are rethrown. */
export async function runBackground(name: BackgroundName, event: unknown): Promise<unknown> {
  const module: { handler: Handler } = await import(
    /* @vite-ignore */ new URL(`../functions/${name}.ts`, import.meta.url).href
  )
  const end = Date.now() + backgroundFunctions[name].timeoutSeconds * 1000
  return module.handler(event, { awsRequestId: ulid(), getRemainingTimeInMillis: () => end - Date.now() })
}
