/** What a function may touch: its role, its variables and its network come from it. */

/** DynamoDB actions that a function may be granted. A transaction needs those of its parts; `Scan` is not among them. */
export type TableAction =
  | 'GetItem'
  | 'Query'
  | 'PutItem'
  | 'UpdateItem'
  | 'DeleteItem'
  | 'ConditionCheckItem'
  | 'BatchGetItem'

/** What the Lambda of an operation may touch, the pipeline's needs among it: nothing is added behind its back. */
export interface Access {
  table: readonly TableAction[]
  /** What it may do with the key that seals secrets, and for which purpose. No function can both seal and open. */
  secrets?: { action: 'encrypt' | 'decrypt'; purpose: SecretPurpose }
  /** Whether it calls hosts that customers name, through the outbound guard. */
  internet?: true
  /** It calls Stripe: it may read the secret that holds Stripe's key, and knows where dashboards are. */
  stripe?: true
  /** It puts events on the service's bus. */
  events?: 'put'
}

/** What a secret is for: part of its encryption context, and of the condition that a function's role puts on it. */
export type SecretPurpose = 'sso' | 'integration' | 'cloud_connection' | 'cloud_credential' | 'local_target'
