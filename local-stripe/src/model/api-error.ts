/** Stripe's errors: any code of the local Stripe throws them, and the API answers them unchanged. */

export interface ApiErrorBody {
  type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error'
  message: string
  code?: string
  decline_code?: string
  param?: string
}

export class ApiError extends Error {
  readonly status: number
  readonly body: ApiErrorBody
  /** Whether changes stay in spite of the error, such as a failed attempt to charge. */
  readonly keepsChanges: boolean

  constructor(status: number, body: ApiErrorBody, { keepsChanges = false } = {}) {
    super(body.message)
    this.name = 'ApiError'
    this.status = status
    this.body = body
    this.keepsChanges = keepsChanges
  }
}

/** 400: the request is invalid. */
export const invalidRequest = (message: string, more: Pick<ApiErrorBody, 'code' | 'param'> = {}): ApiError =>
  new ApiError(400, { type: 'invalid_request_error', message, ...more })

/** A missing object: 404 when its id is in the path, 400 when it is in a parameter. */
export const resourceMissing = (kind: string, id: string, param: string): ApiError =>
  new ApiError(param === 'id' ? 404 : 400, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    message: `No such ${kind}: '${id}'`,
    param,
  })

const cardError = (body: Omit<ApiErrorBody, 'type'>, options?: { keepsChanges: boolean }): ApiError =>
  new ApiError(402, { type: 'card_error', ...body }, options)

export const cardDeclined = (options?: { keepsChanges: boolean }): ApiError =>
  cardError({ code: 'card_declined', decline_code: 'generic_decline', message: 'Your card was declined.' }, options)

export const insufficientFunds = (): ApiError =>
  cardError({
    code: 'card_declined',
    decline_code: 'insufficient_funds',
    message: 'Your card has insufficient funds.',
  })

/** The charge waits until the customer confirms it on the invoice's page. */
export const requiresAction = (options?: { keepsChanges: boolean }): ApiError =>
  cardError(
    {
      code: 'invoice_payment_intent_requires_action',
      message: 'This payment requires additional user action before it can be completed successfully.',
    },
    options,
  )

export const authenticationFailed = (): ApiError =>
  cardError({
    code: 'payment_intent_authentication_failure',
    message:
      'We are unable to authenticate your payment method. Please choose a different payment method and try again.',
  })
