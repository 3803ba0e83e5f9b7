/** Structured logs, one line per request at info. What is logged is named field by field; bodies and headers never are. */
import { Logger } from '@aws-lambda-powertools/logger'

export const log = new Logger({ serviceName: 'octomil-settings' })
