/**
 * How every client of the AWS SDK waits: a request that hangs is given up and tried again while there is time for it, since
 * a Lambda has 28 s in all.
 */
export const awsClientSettings = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1000, requestTimeout: 5000, throwOnRequestTimeout: true },
}
