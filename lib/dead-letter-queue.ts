/** Queues for messages and events that failed finally. */
import { Duration, Validations } from 'aws-cdk-lib'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'

/** Properties of every queue of this service. */
export const queueDefaults = {
  encryption: QueueEncryption.SQS_MANAGED,
  enforceSSL: true,
  // Longer than the schedule of a delivery, with a receiver that always asks for 12 h.
  retentionPeriod: Duration.days(14),
}

/** A dead-letter queue. `reason`: why it has no dead-letter queue of its own. */
export function deadLetterQueue(scope: Construct, of: string, reason: string): Queue {
  const queue = new Queue(scope, `${of}DeadLetters`, queueDefaults)
  Validations.of(queue).acknowledge({ id: 'AwsSolutions-SQS3', reason })
  return queue
}
