/**
 * Timeouts of all AWS SDK clients: they retry a hanging request while there is time, since a Lambda has 28 s in total.
 */
export const awsClientSettings = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1000, requestTimeout: 5000, throwOnRequestTimeout: true },
}
