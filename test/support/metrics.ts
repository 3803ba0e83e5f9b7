/** Metrics as CloudWatch would find them in the log. */
import { logLines } from './logs.ts'

export interface Counted {
  name: string
  value: number
  reason: string | undefined
  line: Record<string, unknown>
}

interface EmbeddedMetrics {
  CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string; Unit: string }[] }[]
}

/** The metrics that `run` counts, in order. */
export async function metricsDuring(run: () => Promise<unknown>): Promise<Counted[]> {
  const before = logLines.length
  await run()
  return logLines.slice(before).flatMap(metricsOf)
}

function metricsOf(text: string): Counted[] {
  const line = JSON.parse(text) as Record<string, unknown> & { _aws?: EmbeddedMetrics }
  return (line._aws?.CloudWatchMetrics ?? []).flatMap(({ Metrics }) =>
    Metrics.map(({ Name }) => ({
      name: Name,
      value: line[Name] as number,
      reason: line.reason as string | undefined,
      line,
    })),
  )
}

/** The metrics of that name, as `reason: value`. */
export const counts = (metrics: readonly Counted[], name: string): string[] =>
  metrics.filter((metric) => metric.name === name).map(({ reason, value }) => `${reason ?? ''}: ${value}`)
