/**
 * Replaces `@aws-sdk/credential-provider-node` in the bundles (`lib/bundle.ts`). Lambda puts the role's credentials
 * into the environment and renews them before they expire. So functions need only the first provider of the SDK's
 * chain. The others (SSO, profiles, STS, web identity, IMDS, containers) cost four AWS clients, 132 KiB and 26 ms.
 * Outside bundles, the SDK's chain is used.
 */
import { fromEnv } from '@aws-sdk/credential-provider-env'

export const defaultProvider = fromEnv
