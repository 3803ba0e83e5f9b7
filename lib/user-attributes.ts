/** Attributes of a person in the user pool. Attributes and claims have the same names. */
export const userAttributes = { org: 'custom:org_id', role: 'custom:role' } as const
