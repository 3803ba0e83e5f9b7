/** gRPC over HTTP/2, unary calls only. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */

/** Length-Prefixed-Message: not compressed, the length as four bytes big-endian, the message. */
export function grpcFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(5 + message.length)
  new DataView(frame.buffer).setUint32(1, message.length)
  frame.set(message, 5)
  return frame
}

type Headers = Readonly<Record<string, string | readonly string[] | number | undefined>>

export interface GrpcAnswer {
  status: number
  headers: Headers
  /** Absent when the call failed before a message: the status is then in the headers ("Trailers-Only"). */
  trailers?: Headers | undefined
}

export interface GrpcOutcome {
  /** The status code of HTTP that means the same, for the list of attempts. */
  status: number
  error: string | null
}

/** Counterparts of https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto. */
const httpStatuses: Readonly<Record<number, number>> = {
  ...{ 0: 200, 1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429 },
  ...{ 9: 400, 10: 409, 11: 400, 12: 501, 13: 500, 14: 503, 15: 500, 16: 401 },
}

/** The outcome of a call. A 200 of HTTP without a `grpc-status` is a failure: a proxy answered. */
export function grpcOutcome({ status, headers, trailers }: GrpcAnswer): GrpcOutcome {
  if (status !== 200) return { status, error: `The receiver answered ${status}.` }
  const source = trailers?.['grpc-status'] === undefined ? headers : trailers
  const written = String(source['grpc-status'] ?? '')
  if (!/^\d{1,2}$/.test(written)) return { status: 502, error: 'The receiver answered without a gRPC status.' }
  const code = Number(written)
  if (code === 0) return { status: 200, error: null }
  // Without `grpc-message`: a receiver could repeat a secret in it.
  return { status: httpStatuses[code] ?? 500, error: `gRPC status ${code}` }
}
