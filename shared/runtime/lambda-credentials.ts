/**
 * Stands in for `@aws-sdk/credential-provider-node` in the bundles (`lib/bundle.ts`). Lambda hands a function its role's
 * credentials in the environment and replaces the environment before they expire, so that the first link of the SDK's
 * chain is all that a function ever uses. The others (SSO, profiles, STS, web identity, IMDS, containers) bring four
 * more AWS clients, 132 KiB and 26 ms of cold import. Outside of a bundle the SDK's own chain is used.
 */
import { fromEnv } from '@aws-sdk/credential-provider-env'

export const defaultProvider = fromEnv
