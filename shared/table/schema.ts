/** The table's schema, for the stack that declares it and for the local engine. */
export const tableSchema = {
  partitionKey: 'pk',
  sortKey: 'sk',
  /** Epoch seconds after which a row may be deleted. */
  timeToLive: 'expires_at_epoch',
} as const
