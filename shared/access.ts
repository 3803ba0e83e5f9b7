/** What a function may access. Its IAM role, environment variables and network follow from it. */

/** DynamoDB actions that a function can be granted. A transaction needs the actions of its parts. There is no `Scan`. */
export type TableAction =
  | 'GetItem'
  | 'Query'
  | 'PutItem'
  | 'UpdateItem'
  | 'DeleteItem'
  | 'ConditionCheckItem'
  | 'BatchGetItem'

/** What the Lambda of an operation may access, including the needs of the pipeline. Nothing else is granted. */
export interface Access {
  table: readonly TableAction[]
  /** Its use of the KMS key, and for which purpose. No function can both encrypt and decrypt. */
  secrets?: { action: 'encrypt' | 'decrypt'; purpose: SecretPurpose }
  /** Its use of the audit trail's asymmetric key: the public key alone, or signing too. */
  auditKey?: 'read' | 'sign'
  /** It calls hosts that customers name, through the outbound guard. */
  internet?: true
  /** It calls Stripe: it can read the secret with Stripe's key, and gets the origins of the dashboards. */
  stripe?: true
  /** It puts events on the service's bus. */
  events?: 'put'
  /** It queues deliveries, or also takes them from the queue and gives up on them. */
  deliveries?: 'send' | 'receive'
  /** It sends mail for integrations, where the stage names a sender, or only checks for a sender. */
  mail?: 'send' | 'check'
}

/** Reads single rows. Every operation needs `UpdateItem`: the pipeline counts requests and stamps API keys. */
export const readAccess = { table: ['GetItem', 'UpdateItem'] } as const satisfies Access
export const listAccess = { table: ['GetItem', 'Query', 'UpdateItem'] } as const satisfies Access
/** Creates or changes rows in a commit. */
export const changeAccess = { table: ['GetItem', 'PutItem', 'UpdateItem'] } as const satisfies Access
export const deleteAccess = { table: ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem'] } as const satisfies Access

/** The purpose of a secret: part of its encryption context, and a condition in the role of each function that uses it. */
export type SecretPurpose = 'sso' | 'integration' | 'cloud_connection' | 'cloud_credential' | 'local_target'
