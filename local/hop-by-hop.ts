/** Headers of one connection, which an intermediary does not forward (RFC 9110, section 7.6.1). */

const connectionHeaders: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
])

/** Whether a header, its name in lower case, belongs to a connection; `connection` lists further ones. */
export const isHopByHop = (name: string, connection = ''): boolean =>
  connectionHeaders.has(name) ||
  (connection !== '' &&
    connection
      .toLowerCase()
      .split(',')
      .some((option) => option.trim() === name))
