/** The two kinds of metrics: sums count up within a month, levels hold the last value. */
import { type Metric, metrics } from '../usage-limits/record.ts'

export type SumMetric = Extract<Metric, `${string}_monthly`>
export type LevelMetric = Exclude<Metric, SumMetric>
export type Kind = 'sum' | 'level'

export const isSum = (metric: Metric): metric is SumMetric => metric.endsWith('_monthly')
const isLevel = (metric: Metric): metric is LevelMetric => !isSum(metric)
export const kindOf = (metric: Metric): Kind => (isSum(metric) ? 'sum' : 'level')

export const sumMetrics = metrics.filter(isSum)
export const levelMetrics = metrics.filter(isLevel)
