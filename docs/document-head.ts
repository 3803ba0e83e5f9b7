/** Common head and security schemes of both OpenAPI documents. */
import packageJson from '../package.json' with { type: 'json' }

export const anyCredential: Record<string, never[]>[] = [{ bearer: [] }, { apiKeyHeader: [] }]

export const documentHead = (title: string, description: string) => ({
  openapi: '3.1.1' as const,
  info: {
    title,
    version: packageJson.version,
    description,
    contact: { name: 'Octomil', url: 'https://octomil.com' },
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  servers: [{ url: '/', description: 'The deployment that serves this document.' }],
  security: anyCredential,
})

export const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key of this service, or a JWT of its OIDC issuer.',
  },
  apiKeyHeader: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key of this service.' },
} as const

/** For operations that OAuth clients call. */
export const basicScheme = {
  type: 'http',
  scheme: 'basic',
  description: 'Any user name, and an API key of this service as the password.',
} as const
