/** What a secret is for: part of its encryption context, and of the condition that a function's role puts on it. */
export type SecretPurpose = 'sso' | 'integration' | 'cloud_connection' | 'cloud_credential' | 'local_target'
