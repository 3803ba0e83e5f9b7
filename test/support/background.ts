/** Background functions as Lambda starts them, each under the access of its contract. */
import { ulid } from 'ulid'
import { type BackgroundName, backgroundFunctions } from '../../functions/background.ts'
import { withAccessOf } from './access.ts'

type Handler = (event: unknown, context: unknown) => Promise<unknown>

/** Runs a background function once; it has `remainingMs` to live. */
export async function runFunction(name: BackgroundName, event: unknown, remainingMs = 20_000): Promise<void> {
  await resultOf(name, event, remainingMs)
}

/** Runs a background function once, and returns its result. */
export async function resultOf(name: BackgroundName, event: unknown, remainingMs = 20_000): Promise<unknown> {
  const file = new URL(`../../functions/${name}.ts`, import.meta.url).pathname
  const { handler } = (await import(/* @vite-ignore */ file)) as { handler: Handler }
  const end = Date.now() + remainingMs
  const context = { awsRequestId: ulid(), getRemainingTimeInMillis: () => end - Date.now() }
  return withAccessOf(backgroundFunctions[name], () => handler(event, context))
}
