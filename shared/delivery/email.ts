/**
 * Mail through Amazon SES: the input of SESv2's SendEmail.
 * https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
 */
import { domainToASCII } from 'node:url'
import { clipped, type RenderedEvent, textsOf } from './event.ts'
import type { OpenedConfig } from './request.ts'

export interface SendEmailInput {
  FromEmailAddress: string
  Destination: { ToAddresses: string[] }
  ReplyToAddresses?: string[]
  Content: { Simple: { Subject: MailText; Body: { Text: MailText } } }
}

interface MailText {
  Data: string
  Charset: 'UTF-8'
}

/** SES takes domains in ASCII only. */
function mailbox(address: string): string {
  const at = address.lastIndexOf('@')
  return `${address.slice(0, at)}@${domainToASCII(address.slice(at + 1))}`
}

const utf8 = (text: string): MailText => ({ Data: text, Charset: 'UTF-8' })

/** The mail is plain text: it has no markup to escape. The texts of an event hold no line break for the headers. */
export function emailOf(config: OpenedConfig, { event }: RenderedEvent, sender: string): SendEmailInput {
  const { summary, facts, changes } = textsOf(event)
  const replyTo = config.reply_to === undefined ? undefined : mailbox(String(config.reply_to))
  const lines = facts.map(([name, value]) => `${name}: ${value}`)
  const changed = changes.length > 0 ? ['', 'Changes:', ...changes.map((change) => `- ${change}`)] : []
  return {
    FromEmailAddress: sender,
    Destination: { ToAddresses: (config.recipients as readonly string[]).map(mailbox) },
    ...(replyTo === undefined ? {} : { ReplyToAddresses: [replyTo] }),
    Content: {
      Simple: {
        Subject: utf8(clipped(`[Octomil] ${summary}`, 200)),
        Body: { Text: utf8(`${[...lines, ...changed].join('\n')}\n`) },
      },
    },
  }
}
