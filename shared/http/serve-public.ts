/** Operations that anybody may call: no credential, no limit of their own, and nothing of the AWS SDK to load. */
import type { AnswerOf, ExactAnswer, Operation } from './operation.ts'
import { pipeline, type RequestOf, requestOf } from './pipeline.ts'

/** The Lambda handler of a public operation. */
export const servePublic = <Op extends Operation, Given extends AnswerOf<Op>>(
  operation: Op,
  handler: (request: RequestOf<Op>) => Promise<ExactAnswer<Op, Given>> | ExactAnswer<Op, Given>,
) => pipeline(operation, [], async (exchange) => handler(requestOf<Op>(exchange)))
