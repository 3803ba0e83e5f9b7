/**
 * Schemas of request parameters. A form has only text, so these parse numbers and flags. Callers in the same process may
 * pass numbers and booleans.
 */
import * as z from 'zod'
import { type ApiError, type ApiErrorBody, invalidRequest } from './api-error.ts'

const refuse = (context: z.core.$RefinementCtx, input: unknown, code: string, message: string): never => {
  context.issues.push({ code: 'custom', input, message, params: { code } })
  return z.NEVER
}

export const integer = z.transform((input, context): number => {
  const value = typeof input === 'string' && /^-?\d+$/.test(input) ? Number(input) : input
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  return refuse(context, input, 'parameter_invalid_integer', `Invalid integer: ${String(input)}`)
})

/** An integer from `min` to `max`. */
export const integerIn = (min: number, max = Number.MAX_SAFE_INTEGER) =>
  integer.pipe(
    z.transform((value: number, context): number => {
      if (value < min)
        return refuse(
          context,
          value,
          'parameter_invalid_integer',
          `This value must be greater than or equal to ${min}.`,
        )
      if (value > max)
        return refuse(
          context,
          value,
          'parameter_invalid_integer',
          `This value must be less than or equal to ${max} (it currently is '${value}').`,
        )
      return value
    }),
  )

export const flag = z.transform((input, context): boolean => {
  if (input === 'true' || input === true) return true
  if (input === 'false' || input === false) return false
  return refuse(context, input, 'parameter_invalid_boolean', `Invalid boolean: ${String(input)}`)
})

export const text = z.transform((input, context): string => {
  if (typeof input !== 'string') return refuse(context, input, 'parameter_invalid_string', 'Invalid string')
  if (input === '')
    return refuse(
      context,
      input,
      'parameter_invalid_empty',
      'You passed an empty string. We assume empty values are an attempt to unset a parameter; however this one cannot be unset. You should remove it from your request or supply a non-empty value.',
    )
  return input
})

/** Text that an empty value removes. */
export const clearable = z.union([z.literal('').transform(() => null), z.null(), text])

/** An http or https URL, for browsers. */
export const webUrl = text.pipe(
  z.transform((value: string, context): string =>
    URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
      ? value
      : refuse(context, value, 'url_invalid', 'Not a valid URL'),
  ),
)

export const oneOf = <const Values extends readonly [string, ...string[]]>(...values: Values) =>
  z.transform((input, context): Values[number] =>
    values.includes(input as Values[number])
      ? (input as Values[number])
      : refuse(context, input, 'parameter_invalid_enum', `Invalid value: must be one of ${values.join(', ')}`),
  )

/** A list: an array, or the numbered fields of a form. */
export const listOf = <Item extends z.ZodType>(item: Item) => z.array(item)

/** Metadata: an empty value removes a key, an empty string removes all keys. */
export const metadata = z.union([
  z.literal('').transform(() => null),
  z.record(z.string().max(40), z.string().max(500)),
])

type MetadataParam = z.output<typeof metadata>

export const mergeMetadata = (
  kept: Record<string, string>,
  given: MetadataParam | undefined,
): Record<string, string> => {
  if (given === undefined) return kept
  if (given === null) return {}
  return Object.fromEntries(Object.entries({ ...kept, ...given }).filter(([, value]) => value !== ''))
}

export const range = z.union([
  z.strictObject({
    gt: integer.optional(),
    gte: integer.optional(),
    lt: integer.optional(),
    lte: integer.optional(),
  }),
  integer,
])

type Range = z.output<typeof range>

export const inRange = (value: number, wanted: Range | undefined): boolean => {
  if (wanted === undefined) return true
  if (typeof wanted === 'number') return value === wanted
  const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = wanted
  return value > gt && value >= gte && value < lt && value <= lte
}

/** Parameters of every request. */
const common = { expand: listOf(text).optional() }

export const params = <Shape extends z.ZodRawShape>(shape: Shape) => z.strictObject({ ...common, ...shape })

export const listParams = <Shape extends z.ZodRawShape>(shape: Shape) =>
  params({
    limit: integerIn(1, 100).optional(),
    starting_after: text.optional(),
    ending_before: text.optional(),
    ...shape,
  })

/**
 * Parses parameters.
 *
 * @throws ApiError for the first fault, as Stripe does
 */
export function readParams<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const result = schema.safeParse(given, { reportInput: true })
  if (result.success) return result.data
  throw refusalOf(result.error.issues[0])
}

function refusalOf(issue: z.core.$ZodIssue | undefined): ApiError {
  if (!issue) return invalidRequest('Invalid request')
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    const param = formName([...path, issue.keys[0] ?? ''])
    return invalidRequest(`Received unknown parameter: ${param}`, { code: 'parameter_unknown', param })
  }
  const param = formName(path)
  if (issue.code === 'invalid_union') return refusalOf(deepest(issue, path))
  if (issue.code === 'custom') {
    const code: unknown = issue.params?.code
    if (issue.input === undefined) return missing(param)
    return invalidRequest(issue.message, { ...(typeof code === 'string' ? { code } : {}), param })
  }
  if (issue.input === undefined && issue.code === 'invalid_type') return missing(param)
  return invalidRequest(`Invalid ${param}: ${issue.message}`, { param })
}

const missing = (param: string): ApiError =>
  invalidRequest(`Missing required param: ${param}.`, {
    code: 'parameter_missing',
    param,
  } satisfies Partial<ApiErrorBody>)

/** The first issue of a union's last alternative, which is its usual form. */
function deepest(issue: z.core.$ZodIssueInvalidUnion, path: string[]): z.core.$ZodIssue | undefined {
  const inner = issue.errors.at(-1)?.[0]
  return inner ? { ...inner, path: [...path, ...inner.path] } : undefined
}

const formName = (path: readonly string[]): string =>
  path.map((part, index) => (index === 0 ? part : `[${part}]`)).join('')
