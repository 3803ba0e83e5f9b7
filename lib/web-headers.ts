/** The headers of every answer of the web distribution. */
import { Duration } from 'aws-cdk-lib'
import {
  HeadersFrameOption,
  HeadersReferrerPolicy,
  type ResponseHeadersPolicyProps,
  type ResponseSecurityHeadersBehavior,
} from 'aws-cdk-lib/aws-cloudfront'

/** Permissions of pages. Add those of a page that needs more, such as a script. */
const pagePolicy = ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"].join('; ')

const secure = (contentSecurityPolicy: string): ResponseSecurityHeadersBehavior => ({
  contentSecurityPolicy: { contentSecurityPolicy, override: true },
  contentTypeOptions: { override: true },
  frameOptions: { frameOption: HeadersFrameOption.DENY, override: true },
  referrerPolicy: { referrerPolicy: HeadersReferrerPolicy.NO_REFERRER, override: true },
  strictTransportSecurity: { accessControlMaxAge: Duration.days(365), includeSubdomains: true, override: true },
})

const custom = (headers: Record<string, string>): Pick<ResponseHeadersPolicyProps, 'customHeadersBehavior'> => ({
  customHeadersBehavior: {
    customHeaders: Object.entries(headers).map(([header, value]) => ({ header, value, override: true })),
  },
})

export const pageMaxAge = Duration.minutes(5)

export const pageHeaders: ResponseHeadersPolicyProps = {
  comment: 'Pages',
  securityHeadersBehavior: secure(pagePolicy),
  ...custom({
    'Cache-Control': `public, max-age=${pageMaxAge.toSeconds()}`,
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
  }),
}

/**
 * Pages of the API's origin load these files with an `integrity` attribute, which requires CORS. Any origin may read them: they are
 * public, the same for every reader, and requested without credentials.
 */
export const assetHeaders: ResponseHeadersPolicyProps = {
  comment: 'Files with their digest in the name',
  securityHeadersBehavior: secure("default-src 'none'; frame-ancestors 'none'"),
  corsBehavior: {
    accessControlAllowCredentials: false,
    accessControlAllowHeaders: ['*'],
    accessControlAllowMethods: ['GET', 'HEAD'],
    accessControlAllowOrigins: ['*'],
    originOverride: true,
  },
  ...custom({
    'Cache-Control': `public, max-age=${Duration.days(365).toSeconds()}, immutable`,
    'Cross-Origin-Resource-Policy': 'cross-origin',
  }),
}
