/** API Gateway's answers, in the documents of both faces. `docs/gateway.md` says when it gives them. */
import * as z from 'zod'

export const gatewayAnswer = z.object({ message: z.string() })

export const gatewayAnswerText =
  'Answer of API Gateway, without problem details: `Request Entity Too Large`, `Too Many Requests`, `Internal Server Error` or `Service Unavailable`.'

/** Whether API Gateway itself can answer with a status. */
export const isGatewayStatus = (status: number): boolean => [413, 429, 500, 503].includes(status)
