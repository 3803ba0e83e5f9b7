/** DynamoDB's condition and update expressions, as far as this service writes them; anything else is an error. */

export type Item = Record<string, unknown>

export interface Bindings {
  ExpressionAttributeNames?: Record<string, string> | undefined
  ExpressionAttributeValues?: Record<string, unknown> | undefined
}

/** Reads a part of an expression against an item. */
type Read = (item: Item | undefined, bound: Bindings) => unknown
type Path = (bound: Bindings) => string[]

const tokenPattern = /\s*([A-Za-z_][\w-]*|[#:]\w+|<=|>=|<>|[().,=<>+])/y

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  tokenPattern.lastIndex = 0
  while (tokenPattern.lastIndex < text.trimEnd().length) {
    const from = tokenPattern.lastIndex
    const token = tokenPattern.exec(text)?.[1]
    if (token === undefined) throw new Error(`this model does not know the expression: ${text.slice(from)}`)
    tokens.push(token)
  }
  return tokens
}

class Parser {
  readonly #tokens: string[]
  #at = 0

  constructor(text: string) {
    this.#tokens = tokensOf(text)
  }

  get next(): string | undefined {
    return this.#tokens[this.#at]
  }

  take(wanted?: string): string {
    const token = this.next
    if (token === undefined || (wanted !== undefined && token !== wanted)) {
      throw new Error(`this model expected ${wanted ?? 'more'} in: ${this.#tokens.join(' ')}`)
    }
    this.#at += 1
    return token
  }

  takeIf(wanted: string): boolean {
    if (this.next !== wanted) return false
    this.#at += 1
    return true
  }

  condition(): Read {
    const parts = [this.#conjunction()]
    while (this.takeIf('OR')) parts.push(this.#conjunction())
    return (item, bound) => parts.some((part) => part(item, bound))
  }

  #conjunction(): Read {
    const parts = [this.#term()]
    while (this.takeIf('AND')) parts.push(this.#term())
    return (item, bound) => parts.every((part) => part(item, bound))
  }

  #term(): Read {
    if (this.takeIf('(')) {
      const inner = this.condition()
      this.take(')')
      return inner
    }
    if (this.next === 'attribute_exists' || this.next === 'attribute_not_exists') {
      const wanted = this.take() === 'attribute_exists'
      this.take('(')
      const path = this.path()
      this.take(')')
      return (item, bound) => (at(item, path(bound)) !== undefined) === wanted
    }
    return this.#comparison()
  }

  #comparison(): Read {
    const left = this.operand()
    const operator = this.take()
    const compare = comparisons[operator]
    if (!compare) throw new Error(`this model does not know the operator ${operator}`)
    const right = this.operand()
    return (item, bound) => {
      const [a, b] = [left(item, bound), right(item, bound)]
      // An absent attribute makes every comparison false.
      return a !== undefined && b !== undefined && compare(a, b)
    }
  }

  operand(): Read {
    if (this.next?.startsWith(':')) return this.value()
    if (this.next === 'if_not_exists') {
      this.take()
      this.take('(')
      const path = this.path()
      this.take(',')
      const otherwise = this.operand()
      this.take(')')
      return (item, bound) => at(item, path(bound)) ?? otherwise(item, bound)
    }
    if (this.next === 'list_append') {
      this.take()
      this.take('(')
      const first = this.operand()
      this.take(',')
      const second = this.operand()
      this.take(')')
      return (item, bound) => [first(item, bound), second(item, bound)].flat()
    }
    const path = this.path()
    return (item, bound) => at(item, path(bound))
  }

  value(): Read {
    const name = this.take()
    return (_item, { ExpressionAttributeValues = {} }) => {
      if (!(name in ExpressionAttributeValues)) throw new Error(`the value ${name} is not given`)
      return ExpressionAttributeValues[name]
    }
  }

  path(): Path {
    const parts = [this.take()]
    while (this.takeIf('.')) parts.push(this.take())
    return ({ ExpressionAttributeNames = {} }) =>
      parts.map((part) => {
        if (!part.startsWith('#')) return part
        const name = ExpressionAttributeNames[part]
        if (name === undefined) throw new Error(`the name ${part} is not given`)
        return name
      })
  }
}

const comparisons: Record<string, (a: unknown, b: unknown) => boolean> = {
  '=': (a, b) => a === b,
  '<>': (a, b) => a !== b,
  '<': (a, b) => typeof a === typeof b && (a as number) < (b as number),
  '<=': (a, b) => typeof a === typeof b && (a as number) <= (b as number),
  '>': (a, b) => typeof a === typeof b && (a as number) > (b as number),
  '>=': (a, b) => typeof a === typeof b && (a as number) >= (b as number),
}

function at(item: Item | undefined, path: readonly string[]): unknown {
  let part: unknown = item
  for (const name of path) part = typeof part === 'object' && part !== null ? (part as Item)[name] : undefined
  return part
}

const remembered = <T>(parse: (text: string) => T) => {
  const known = new Map<string, T>()
  return (text: string): T => {
    const parsed = known.get(text) ?? parse(text)
    known.set(text, parsed)
    return parsed
  }
}

const conditionOf = remembered((text) => new Parser(text).condition())

/** Whether an item meets a condition. An absent condition is always met. */
export const holds = (condition: string | undefined, item: Item | undefined, bound: Bindings): boolean =>
  condition === undefined || conditionOf(condition)(item, bound) === true

type Clause = (before: Item, after: Item, bound: Bindings) => void

const clauses: Record<string, (parser: Parser) => Clause> = {
  SET: (parser) => {
    const path = parser.path()
    parser.take('=')
    const read = parser.operand()
    return (before, after, bound) => {
      after[single(path(bound))] = read(before, bound)
    }
  },
  ADD: (parser) => {
    const path = parser.path()
    const read = parser.value()
    return (before, after, bound) => {
      const name = single(path(bound))
      after[name] = Number(before[name] ?? 0) + Number(read(before, bound))
    }
  },
  REMOVE: (parser) => {
    const path = parser.path()
    return (_before, after, bound) => {
      delete after[single(path(bound))]
    }
  },
}

function single([name, ...deeper]: readonly string[]): string {
  if (name === undefined || deeper.length > 0) throw new Error('this model changes whole attributes only')
  return name
}

const updateOf = remembered((text) => {
  const parser = new Parser(text)
  const found: Clause[] = []
  while (parser.next !== undefined) {
    const clause = clauses[parser.take()]
    if (!clause) throw new Error(`this model does not know the update ${text}`)
    do found.push(clause(parser))
    while (parser.takeIf(','))
  }
  return found
})

/** An item after an update. */
export function updated(update: string, before: Item, bound: Bindings): Item {
  const after = { ...before }
  for (const clause of updateOf(update)) clause(before, after, bound)
  return after
}
