/** Operations that anybody may call: no credential, no limit of their own, and nothing of the AWS SDK to load. */
import type { Answer } from './answer.ts'
import type { Operation } from './operation.ts'
import { pipeline, type RequestOf, requestOf } from './pipeline.ts'

/** The Lambda handler of a public operation. */
export const servePublic = <Op extends Operation>(
  operation: Op,
  handler: (request: RequestOf<Op>) => Promise<Answer> | Answer,
) => pipeline(operation, [], async (exchange) => handler(requestOf<Op>(exchange)))
