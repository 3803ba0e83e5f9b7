/** The function that runs when people sign in to a stage's user pool. */
import type { BackgroundFunction } from '../../shared/runtime/background.ts'

export const addTokenClaims = {
  id: 'sign-in.add-token-claims',
  summary: 'Adds to ID tokens that a second factor took part in the sign-in',
  trigger: { userPool: 'tokens' },
  timeoutSeconds: 5,
  access: { table: [], userPool: ['AdminGetUser'] },
} satisfies BackgroundFunction
