/** What the user pool knows of a person, by the names that are both its attributes' and its claims'. */
export const userAttributes = { org: 'custom:org_id', role: 'custom:role' } as const
