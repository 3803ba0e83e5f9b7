/** The metrics of a stage, for alarms and dashboard. */
import { Duration } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch'
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import type { BackgroundName } from '../functions/background.ts'
import { deployedOperations } from '../functions/operations.ts'
import { type MetricName, metricNamespace } from '../shared/runtime/metrics.ts'
import { functionName } from './function-name.ts'

/** Background functions, by their dead-letter queue. */
export interface Watched {
  deadLetters: Queue
}

export interface WatchedSender extends Watched {
  queue: Queue
}

const backgroundNames = {
  projector: 'stripe-events/project',
  router: 'integrations/route',
  sealer: 'audit-events/seal',
  sender: 'integrations/send',
  sweep: 'stripe-events/sweep',
} as const satisfies Record<string, BackgroundName>
type Background = keyof typeof backgroundNames

interface Sources {
  stage: string
  httpApi: HttpApi
  table: TableV2
  projector: Watched
  router: Watched
  sealer: Watched
  sender: WatchedSender
  sweep: Watched
}

export const fiveMinutes = Duration.minutes(5)
export const hour = Duration.hours(1)

export class StageMetrics {
  readonly #sources: Sources

  constructor(sources: Sources) {
    this.#sources = sources
  }

  /** Metrics of the whole API: `Count`, `4xx`, `5xx`, `Latency` in milliseconds. */
  api(metricName: string, statistic: string): Metric {
    const dimensionsMap = { ApiId: this.#sources.httpApi.apiId }
    return new Metric({ namespace: 'AWS/ApiGateway', metricName, dimensionsMap, statistic, period: fiveMinutes })
  }

  table(metricName: string): Metric {
    const dimensionsMap = { TableName: this.#sources.table.tableName }
    return new Metric({ namespace: 'AWS/DynamoDB', metricName, dimensionsMap, statistic: 'Sum', period: fiveMinutes })
  }

  background(name: Background, metricName: string, statistic = 'Sum', period = fiveMinutes): Metric {
    return this.#lambda(backgroundNames[name], metricName, statistic, period)
  }

  deadLetters(name: Background): Metric {
    const { deadLetters } = this.#sources[name]
    return deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: fiveMinutes })
  }

  /** Seconds that the oldest message of a delivery has been in its queue. */
  deliveryQueueAge(): Metric {
    return this.#sources.sender.queue.metricApproximateAgeOfOldestMessage({ statistic: 'Maximum', period: fiveMinutes })
  }

  /** Metrics that our code emits. */
  own(metricName: MetricName, statistic = 'Sum', period = fiveMinutes): Metric {
    const dimensionsMap = { stage: this.#sources.stage }
    return new Metric({ namespace: metricNamespace, metricName, dimensionsMap, statistic, period })
  }

  /** Metrics of all functions of a resource folder. By name, not by reference: an export in use could never be removed. */
  folder(folder: string, metricName: string, statistic: string, across: 'SUM' | 'MAX'): MathExpression {
    const metrics = deployedOperations
      .filter(([name]) => name.startsWith(`${folder}/`))
      .map(([name]) => this.#lambda(name, metricName, statistic))
    return new MathExpression({
      expression: `${across}(METRICS())`,
      usingMetrics: Object.fromEntries(metrics.map((metric, index) => [`${camelCase(folder)}${index}`, metric])),
      label: folder,
      period: fiveMinutes,
    })
  }

  #lambda(name: string, metricName: string, statistic: string, period = fiveMinutes): Metric {
    const dimensionsMap = { FunctionName: functionName(this.#sources.stage, name) }
    return new Metric({ namespace: 'AWS/Lambda', metricName, dimensionsMap, statistic, period })
  }
}

/** Metric ids must start with a lower-case letter. */
const camelCase = (folder: string): string => folder.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
