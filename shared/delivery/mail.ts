/** Mail through Amazon SES, for integrations of type `email`. */
import type { SESv2Client, SendEmailCommandInput } from '@aws-sdk/client-sesv2'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { environment } from '../runtime/environment.ts'

let shared: SESv2Client | undefined

/** The sender address of the stage; undefined: the stage sends no mail. */
export const mailSender = (): string | undefined => environment('mailSender')

export interface MailOutcome {
  status: number | null
  error: string | null
}

/** Sends a mail. A refusal by SES is the outcome: another attempt follows. */
export async function sendMail(input: SendEmailCommandInput, integrationId: string): Promise<MailOutcome> {
  // Most deliveries are no mail: the client stays out of their cold starts.
  const { SESv2Client, SendEmailCommand } = await import('@aws-sdk/client-sesv2')
  shared ??= new SESv2Client(awsClientSettings)
  const EmailTags = [{ Name: 'integration_id', Value: integrationId }]
  try {
    const { $metadata } = await shared.send(new SendEmailCommand({ ...input, EmailTags }))
    return { status: $metadata.httpStatusCode ?? 200, error: null }
  } catch (error) {
    const { name, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } }
    // The message of SES repeats addresses.
    return { status: $metadata?.httpStatusCode ?? null, error: `The mail service refused the mail: ${name}.` }
  }
}
