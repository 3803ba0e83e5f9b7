/** Why routes have no authorizer of API Gateway's, for whoever checks the templates (`test/lib/nag.test.ts`). */
import { Validations } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import type { Operation } from '../shared/http/operation.ts'

/** Acknowledges the finding on the route of one operation. */
export const acknowledgeOpenRoute = (scope: Construct, { scope: needed }: Operation): void =>
  Validations.of(scope).acknowledge({
    id: 'AwsSolutions-APIG4',
    reason:
      needed === 'public'
        ? 'Public by contract: it answers everybody alike and reaches no data.'
        : 'The function authenticates before anything else: an authorizer of an HTTP API could not answer with a problem, and its cache would let a revoked key live on.',
  })
