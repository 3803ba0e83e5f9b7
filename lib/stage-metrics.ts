/** The metrics of a stage, for what watches them and what shows them. */
import { Duration } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch'
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { Function as Lambda } from 'aws-cdk-lib/aws-lambda'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { type MetricName, metricNamespace } from '../shared/runtime/metrics.ts'
import { pascalCase } from './resource-stack.ts'
import { stackName } from './stage.ts'

/** A background function, and the queue of what it could not do. */
export interface Watched {
  lambda: Lambda
  deadLetters: Queue
}

interface Sources {
  stage: string
  httpApi: HttpApi
  table: TableV2
  projector: Watched
  sweep: Watched
}

export const fiveMinutes = Duration.minutes(5)
export const hour = Duration.hours(1)

export class StageMetrics {
  readonly #sources: Sources

  constructor(sources: Sources) {
    this.#sources = sources
  }

  /** Of the whole API: `Count`, `4xx`, `5xx`, `Latency` in milliseconds. */
  api(metricName: string, statistic: string): Metric {
    const dimensionsMap = { ApiId: this.#sources.httpApi.apiId }
    return new Metric({ namespace: 'AWS/ApiGateway', metricName, dimensionsMap, statistic, period: fiveMinutes })
  }

  table(metricName: string): Metric {
    const dimensionsMap = { TableName: this.#sources.table.tableName }
    return new Metric({ namespace: 'AWS/DynamoDB', metricName, dimensionsMap, statistic: 'Sum', period: fiveMinutes })
  }

  background(name: 'projector' | 'sweep', metricName: string, period = fiveMinutes): Metric {
    const { lambda } = this.#sources[name]
    return lambda.metric(metricName, { statistic: 'Sum', period })
  }

  deadLetters(name: 'projector' | 'sweep'): Metric {
    const { deadLetters } = this.#sources[name]
    return deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: fiveMinutes })
  }

  /** What our own code counts. */
  own(metricName: MetricName, statistic = 'Sum', period = fiveMinutes): Metric {
    const dimensionsMap = { stage: this.#sources.stage }
    return new Metric({ namespace: metricNamespace, metricName, dimensionsMap, statistic, period })
  }

  /**
   * Of all functions of a resource folder, found by the words of their names: a function that is named here could not be
   * removed again without a deploy of its own, since its stack would have to export it. A stage `dev` finds `my-dev` too.
   */
  folder(folder: string, metricName: string, statistic: string, across: 'SUM' | 'MAX'): MathExpression {
    const words = stackName(this.#sources.stage, pascalCase(folder)).replaceAll('-', ' ')
    const search = `SEARCH('{AWS/Lambda,FunctionName} MetricName="${metricName}" ${words}', '${statistic}')`
    return new MathExpression({ expression: `${across}(${search})`, label: folder, period: fiveMinutes })
  }
}
