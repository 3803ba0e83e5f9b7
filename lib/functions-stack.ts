/**
 * The function of each operation. One stack has them all: after a failed deploy, CloudFormation rolls back every
 * function, so versions never mix.
 */
import { Duration, Stack } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { getDocs, getHealth } from '../functions/meta/contract.ts'
import { deployedOperations } from '../functions/operations.ts'
import type { Operation } from '../shared/http/operation.ts'
import type { ReferenceScript } from '../shared/http/reference-page.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import { deployedCommit } from './commit.ts'
import { frontSecretValue } from './front-secret.ts'
import { outboundEnvironment } from './outbound-settings.ts'
import { pascalCase } from './pascal-case.ts'
import { ServiceFunction, type Surroundings } from './service-function.ts'
import { type FrontSettings, type StageSettings, stackName } from './stage.ts'
import { addTableEndpoint } from './vpc.ts'

interface FunctionsStackProps extends Surroundings {
  /** In stages with a front. */
  frontSecretArn: string | undefined
  /** In stages with the web stacks. */
  referenceScript: ReferenceScript | undefined
  /** The folder of a bundled handler. */
  codeFolderOf(name: string): string
}

/** Below API Gateway's timeout of 30 s, so that the service answers. */
const timeout = Duration.seconds(28)

export class FunctionsStack extends Stack {
  constructor(
    scope: Construct,
    { codeFolderOf, frontSecretArn, referenceScript, ...surroundings }: FunctionsStackProps,
  ) {
    const { settings } = surroundings
    super(scope, stackName(settings.stage, 'Functions'), { terminationProtection: settings.retainData })
    if (settings.vpc) addTableEndpoint(this, settings.vpc)
    for (const [name, operation] of deployedOperations) {
      new ServiceFunction(this, name.split('/').map(pascalCase).join(''), {
        ...surroundings,
        name,
        description: `${operation.id}: ${operation.summary}`,
        codeFolder: codeFolderOf(name),
        access: operation.access,
        timeout,
        environment: {
          ...operationEnvironment(operation, settings),
          // Set on this function only: a commit without code changes then updates one function.
          ...(operation.id === getHealth.id ? { [environmentNames.commit]: deployedCommit() } : {}),
          ...(operation.id === getDocs.id ? referenceEnvironment(referenceScript) : {}),
          ...frontEnvironment(settings.front, frontSecretArn),
        },
      })
    }
  }
}

function operationEnvironment({ scope }: Operation, settings: StageSettings): Record<string, string> {
  const { corsOrigins, billingOverride } = settings
  return {
    ...(corsOrigins.length > 0 ? { [environmentNames.dashboardOrigins]: corsOrigins.join(',') } : {}),
    ...(scope === 'public' ? {} : callersEnvironment(settings)),
    ...(scope === 'billing:override' ? { [environmentNames.billingOverride]: billingOverride ? 'on' : 'off' } : {}),
  }
}

/** Access that a function needs to authenticate its callers. */
function callersEnvironment(settings: StageSettings): Record<string, string> {
  const { oidc, signInProviders } = settings
  return {
    ...outboundEnvironment(settings),
    ...(signInProviders.length > 0 ? { [environmentNames.signInProviders]: signInProviders.join(',') } : {}),
    ...(oidc
      ? {
          [environmentNames.oidcIssuer]: oidc.issuer,
          [environmentNames.oidcAudience]: oidc.audience,
          [environmentNames.oidcOrgClaim]: oidc.orgClaim,
          [environmentNames.oidcRoleClaim]: oidc.roleClaim,
          ...(oidc.jwksUri ? { [environmentNames.oidcJwksUri]: oidc.jwksUri } : {}),
        }
      : {}),
  }
}

const referenceEnvironment = (script?: ReferenceScript): Record<string, string> => ({
  ...(script ? { [environmentNames.referenceScriptUrl]: script.url } : {}),
  ...(script?.integrity ? { [environmentNames.referenceScriptIntegrity]: script.integrity } : {}),
})

const frontEnvironment = (front: FrontSettings | undefined, secretArn: string | undefined): Record<string, string> =>
  front && secretArn
    ? {
        [environmentNames.frontSecret]: frontSecretValue(secretArn, front.secretVersion),
        ...(front.isOnlyWay ? { [environmentNames.frontOnly]: 'on' } : {}),
      }
    : {}
