/** One page of a list to read from the table. */
export interface PageSpec {
  limit: number
  /** The sort key after which the page starts. */
  after: string | undefined
  now: Date
}
