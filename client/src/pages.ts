/** Cursors as async iterators: the next page is requested when the previous one is consumed. */

interface Page {
  next_cursor: string | null
}

/**
 * The pages from `cursor` on. `read` reads each page, from the `next_cursor` of the previous one.
 *
 * @throws Error if the service returns the same cursor twice in a row, which would never end
 */
export async function* pagesFrom<P extends Page>(
  cursor: string | undefined,
  read: (cursor: string | undefined) => Promise<P>,
): AsyncGenerator<P, void, undefined> {
  for (let at = cursor; ; ) {
    const page = await read(at)
    yield page
    if (page.next_cursor === null) return
    if (page.next_cursor === at) throw new Error('the page returns its cursor as the next one')
    at = page.next_cursor
  }
}

/** The entries of pages, one by one. */
export async function* entriesOf<Entry>(
  pages: AsyncIterable<{ data: readonly Entry[] }>,
): AsyncGenerator<Entry, void, undefined> {
  for await (const { data } of pages) yield* data
}
