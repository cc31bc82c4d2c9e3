"""A reader made of uhfreader18's own builders, on TCP: says `port N`, then every command that it understood."""

import socket

from uhfreader18 import build_heartbeat, build_response_frame, crc16

EPCS = [bytes.fromhex(f"e28011606000020{n:09x}") for n in range(1, 8)]
ADDRESS = 0
power = 10
region = bytes([0x31, 0x80])
scan_time = 10

listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
while True:
    link, _ = listener.accept()
    pending = b""
    while data := link.recv(4096):
        pending += data
        while pending and len(pending) > pending[0]:
            frame, pending = pending[: pending[0] + 1], pending[pending[0] + 1 :]
            if crc16(frame[:-2]).to_bytes(2, "little") != frame[-2:] or frame[1] != ADDRESS:
                print("refused", frame.hex(), flush=True)
                continue
            command, payload = frame[2], frame[3:-2]
            print(f"command {command:02x} {payload.hex()}", flush=True)
            if command == 0x21:
                told = bytes([2, 36, 9, 3]) + region + bytes([power, scan_time])
                replies = [build_response_frame(ADDRESS, command, 0, told)]
            elif command == 0x22:
                region = payload
                replies = [build_response_frame(ADDRESS, command, 0)]
            elif command == 0x2F:
                power = payload[0]
                replies = [build_response_frame(ADDRESS, command, 0)]
            elif command == 0x25:
                scan_time = payload[0]
                replies = [build_response_frame(ADDRESS, command, 0)]
            elif command == 0x01:
                first, second = (b"".join(bytes([len(epc)]) + epc for epc in part) for part in (EPCS[:4], EPCS[4:]))
                replies = [
                    build_response_frame(ADDRESS, command, 3, bytes([4]) + first),
                    build_heartbeat(),
                    build_response_frame(ADDRESS, command, 1, bytes([3]) + second),
                ]
            else:
                replies = [build_response_frame(ADDRESS, 0, 0xFE)]
            link.sendall(b"".join(replies))
