/** Published limits of AWS in us-east-1 and of Stripe. AWS raises "adjustable" limits on request. Check before you rely on one. */
export const quotas = {
  /** DynamoDB: units per second of one partition, and so of one row. */
  partitionWriteUnits: 1000,
  partitionReadUnits: 3000,
  /** DynamoDB on demand: write units per second of a new table, and the default quota of a table; adjustable. */
  newTableWriteUnits: 4000,
  tableWriteUnits: 40_000,
  /** DynamoDB: bytes of one item, and of all items of one transaction. */
  itemBytes: 400 * 1024,
  transactionBytes: 4 * 1024 * 1024,
  /** Lambda: concurrent executions of an account; adjustable, and lower in a new account. */
  concurrency: 1000,
  /** API Gateway: requests per second of an account; adjustable. */
  accountRequests: 10_000,
  /** API Gateway: routes, and integrations, of one HTTP API. */
  routes: 300,
  /** KMS: calls per second with symmetric keys of an account, including calls by other services; adjustable. */
  kmsCalls: 100_000,
  /** KMS: calls per second with elliptic curve keys of an account; adjustable. */
  signatures: 1000,
  /** EventBridge: PutEvents per second; adjustable. */
  putEvents: 10_000,
  /** CloudFormation: resources per stack. */
  stackResources: 500,
  /** Stripe, live mode: requests per second in total, and per endpoint. */
  stripeRequests: 100,
  stripeEndpointRequests: 25,
  /** The billing sweep: customers per hourly run, in addition to customers that are due. */
  sweepCustomersAnHour: 200,
} as const
