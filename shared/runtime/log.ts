/** Structured logs, one line per request at info. Each logged field is named; bodies and headers are never logged. */
import { Logger } from '@aws-lambda-powertools/logger'

export const log = new Logger({ serviceName: 'octomil-settings' })
