/** Subscribes the option `alarm_email` to the alarms of a stage. */
import type { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'

/** Subscribes the address, if the stage has one. AWS sends it a confirmation link. */
export function subscribeByEmail(alarms: Topic, { alarmEmail }: { alarmEmail: string | undefined }): void {
  if (alarmEmail !== undefined) alarms.addSubscription(new EmailSubscription(alarmEmail))
}
