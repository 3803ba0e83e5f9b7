/** Who is told of alarms by e-mail: `-c alarm_email=oncall@example.com`. */
import type { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { isEmailAddress } from '../shared/http/email.ts'
import { StageSettingsError } from './stage-error.ts'

/** @throws StageSettingsError */
export function readAlarmEmail(address: string | undefined): string | undefined {
  if (address !== undefined && !isEmailAddress(address)) {
    throw new StageSettingsError(`-c alarm_email=${address}: must be one e-mail address, like oncall@example.com`)
  }
  return address
}

/** Subscribes the stage's address, where it names one; whoever reads its mail has to confirm once. */
export function tellByEmail(alarms: Topic, { alarmEmail }: { alarmEmail: string | undefined }): void {
  if (alarmEmail !== undefined) alarms.addSubscription(new EmailSubscription(alarmEmail))
}
