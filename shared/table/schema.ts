/** The table's shape, for the stack that declares it and the engine that stands in for it on one machine. */
export const tableSchema = {
  partitionKey: 'pk',
  sortKey: 'sk',
  /** Epoch seconds after which a row may be deleted. */
  timeToLive: 'expires_at_epoch',
} as const
