/** Limits of what the service stands on, as published for us-east-1; "adjustable" ones are raised on request. Look before relying on one. */
export const quotas = {
  /** DynamoDB: one partition, and so one row, a second. */
  partitionWriteUnits: 1000,
  partitionReadUnits: 3000,
  /** DynamoDB, on demand: what a new table takes at once, and a table's default quota; adjustable. */
  newTableWriteUnits: 4000,
  tableWriteUnits: 40_000,
  /** DynamoDB: one item, and all items of one transaction, in bytes. */
  itemBytes: 400 * 1024,
  transactionBytes: 4 * 1024 * 1024,
  /** Lambda: executions at once in an account; adjustable, and lower in a new account. */
  concurrency: 1000,
  /** API Gateway: requests a second in an account; adjustable. Routes and integrations of an HTTP API. */
  accountRequests: 10_000,
  routes: 300,
  /** KMS: calls with symmetric keys a second in an account, those of other services in it; adjustable. */
  kmsCalls: 100_000,
  /** EventBridge: PutEvents a second; adjustable. */
  putEvents: 10_000,
  /** CloudFormation: resources of a stack. */
  stackResources: 500,
  /** Stripe, live mode: requests a second in all, and of one endpoint. */
  stripeRequests: 100,
  stripeEndpointRequests: 25,
  /** The sweep of billing: customers that one hourly run asks about beside those that are due. */
  sweepCustomersAnHour: 200,
} as const
