/** What can be wrong with a trail. */
export const faultReasons = ['unsealed', 'missing', 'changed', 'duplicate', 'broken_link'] as const

export interface TrailFault {
  block: number | null
  event_id: string | null
  reason: (typeof faultReasons)[number]
}
