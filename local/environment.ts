/** The environment of `npm run dev`: the variables that it reads from the shell, and their checks. */
import { runtimes } from '../shared/execution/local-target.ts'
import { writtenUrlFault } from '../shared/outbound/written-url.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import { requireEndpoint } from './engine.ts'
import { localCidrs } from './service.ts'

/** Variables that a developer may set; README's "Configuration" lists them. */
const readNames: ReadonlySet<string> = new Set([
  environmentNames.stripeSecretKey,
  environmentNames.stripeWebhookSecret,
  environmentNames.localRuntimeUrl,
  environmentNames.localRuntime,
])

/** Variables that select another AWS account or token than the local doubles expect. */
const awsNames = ['AWS_PROFILE', 'AWS_SESSION_TOKEN']

/**
 * Checks the shell's variables, and removes those of a deployed stage: a secret's ARN or an issuer's claim names would make the
 * local service call AWS or refuse its tokens.
 *
 * @throws Error naming the variable and the fix
 */
export function prepareEnvironment(env: NodeJS.ProcessEnv = process.env): void {
  for (const name of [...Object.values(environmentNames), ...awsNames]) if (!readNames.has(name)) delete env[name]
  if (env.DYNAMODB_ENDPOINT) requireEndpoint(env.DYNAMODB_ENDPOINT)
  requireRuntime(env[environmentNames.localRuntimeUrl] || undefined, env[environmentNames.localRuntime] || undefined)
}

function requireRuntime(url: string | undefined, runtime: string | undefined): void {
  const { localRuntimeUrl, localRuntime } = environmentNames
  if (runtime !== undefined && url === undefined)
    throw new Error(`${localRuntime} is set and ${localRuntimeUrl} is not: set both, or unset ${localRuntime}.`)
  if (runtime !== undefined && !runtimes.some((known) => known === runtime))
    throw new Error(`${localRuntime} must be one of ${runtimes.join(', ')}, not ${runtime}.`)
  if (url === undefined) return
  const fault = writtenUrlFault(url, { schemes: ['https', 'http'], allowedCidrs: localCidrs })
  if (fault) throw new Error(`${localRuntimeUrl} ${fault}; set it to a URL like http://127.0.0.1:11434, not ${url}.`)
}
