/** A real browser for tests: a Chromium that `CHROMIUM` names, or one where Linux puts it. */
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const named = process.env.CHROMIUM
if (named && !existsSync(named)) throw new Error(`CHROMIUM must be the path of a Chromium; there is no file ${named}`)

const executablePath = [named ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => path !== '' && existsSync(path),
)

export const hasChromium = executablePath !== undefined

/** Drawing the reference takes 15 s on two cores; other test files run at the same time. */
export const browserTimeoutMs = 120_000

/** The title of tests that are skipped without a Chromium; it gives the reason. */
export const titleInBrowser = (title: string): string =>
  hasChromium ? title : `${title} (SKIPPED: no Chromium here, set CHROMIUM to one)`

/** Containers run as root; there Chromium starts only with this argument. */
export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ ...(executablePath ? { executablePath } : {}), args: ['--no-sandbox'] })
