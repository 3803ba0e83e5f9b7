/** Public operations: they need no credential, have no rate limit, and load no part of the AWS SDK. */
import type { AnswerOf, ExactAnswer, Operation } from './operation.ts'
import { pipeline, type RequestOf, requestOf } from './pipeline.ts'

/** The Lambda handler of a public operation. */
export const servePublic = <Op extends Operation, Given extends AnswerOf<Op>>(
  operation: Op,
  handler: (request: RequestOf<Op>) => Promise<ExactAnswer<Op, Given>> | ExactAnswer<Op, Given>,
) => pipeline(operation, [], async (exchange) => handler(requestOf<Op>(exchange)))
