/** The functions of one resource folder. A stack each, so that none comes near CloudFormation's limit of resources. */
import { Stack } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import type { Construct } from 'constructs'
import type { Operation } from '../shared/http/operation.ts'
import { acknowledgeOpenRoute } from './open-route.ts'
import { OperationFunction } from './operation-function.ts'
import type { Surroundings } from './service-function.ts'
import { stackName } from './stage.ts'

interface ResourceStackProps extends Surroundings {
  httpApi: HttpApi
  /** The operations by the name of their handler file. */
  operations: readonly (readonly [file: string, Operation])[]
  codeFolderOf(file: string): string
}

export class ResourceStack extends Stack {
  constructor(scope: Construct, folder: string, { operations, codeFolderOf, ...shared }: ResourceStackProps) {
    super(scope, stackName(shared.settings.stage, pascalCase(folder)))
    for (const [file, operation] of operations) {
      const codeFolder = codeFolderOf(file)
      const made = new OperationFunction(this, pascalCase(file), { ...shared, operation, codeFolder })
      acknowledgeOpenRoute(made, operation)
    }
  }
}

/** `api-keys` becomes `ApiKeys`. */
export const pascalCase = (name: string): string =>
  name
    .split('-')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('')
