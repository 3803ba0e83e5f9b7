/** `expand[]`: replaces ids with their objects, in a copy of the answer. */
import { invalidRequest } from './api-error.ts'
import { lineItemsOf } from './checkout.ts'
import type { Kind, Store } from './store.ts'

const maxLevels = 4

/** The kind of object behind the ids of a field. */
const referenced: Record<string, Kind> = {
  configuration: 'billing_portal.configuration',
  customer: 'customer',
  default_payment_method: 'payment_method',
  default_price: 'price',
  invoice: 'invoice',
  latest_invoice: 'invoice',
  price: 'price',
  product: 'product',
  subscription: 'subscription',
}

type Fields = Record<string, unknown>

/** The answer with each path expanded. A path without a target is Stripe's error. */
export function expand(store: Store, answer: object, paths: readonly string[] = []): object {
  return paths.reduce((expanded, path) => {
    const names = path.split('.')
    if (names.length > maxLevels) {
      throw invalidRequest(`You cannot expand more than ${maxLevels} levels of a property. (property: ${path})`, {
        param: 'expand',
      })
    }
    return expandPath(store, expanded, names, path)
  }, answer)
}

function expandPath(store: Store, target: object, [name = '', ...rest]: readonly string[], path: string): object {
  const fields = target as Fields
  const value = included(store, fields, name) ?? fields[name]
  if (value === undefined) throw cannotExpand(path, 'data' in fields)
  if (Array.isArray(value)) {
    return {
      ...fields,
      [name]: value.map((item: object) => (rest.length > 0 ? expandPath(store, item, rest, path) : item)),
    }
  }
  const resolved = typeof value === 'string' ? resolve(store, name, value, path) : value
  if (resolved === null || rest.length === 0) {
    if (resolved !== null && typeof resolved !== 'object') throw cannotExpand(path, false)
    return { ...fields, [name]: resolved }
  }
  if (typeof resolved !== 'object') throw cannotExpand(path, false)
  return { ...fields, [name]: expandPath(store, resolved, rest, path) }
}

function resolve(store: Store, name: string, id: string, path: string): object {
  const kind = referenced[name]
  if (!kind) throw cannotExpand(path, false)
  if (kind === 'customer' && store.get('deleted_customer', id)) return { id, object: 'customer', deleted: true }
  return store.need(kind, id)
}

/** Lists that an object includes only on request. */
function included(store: Store, { object, id }: Fields, name: string): object | undefined {
  if (typeof id !== 'string') return
  if (object === 'checkout.session' && name === 'line_items') {
    return listOfAll(lineItemsOf(store, id), `/v1/checkout/sessions/${id}/line_items`)
  }
  if (object === 'customer' && name === 'subscriptions') {
    const live = store.all('subscription').filter(({ customer, status }) => customer === id && status !== 'canceled')
    return listOfAll(live.reverse(), `/v1/customers/${id}/subscriptions`)
  }
  return
}

const listOfAll = (data: readonly object[], url: string) => ({ object: 'list', data, has_more: false, url })

const cannotExpand = (path: string, isList: boolean) =>
  invalidRequest(
    `This property cannot be expanded (${path}).${isList ? ` You may want to try expanding 'data.${path}' instead.` : ''}`,
    { param: 'expand' },
  )
