"""One request over mutual TLS with BoringSSL (in curl_cffi): boring_client.py URL CA [CERT KEY], the form on standard input."""
import sys

from curl_cffi import requests
from curl_cffi.requests.exceptions import RequestException

url, ca, *own = sys.argv[1:]
try:
    answer = requests.post(url, data=sys.stdin.read(), headers={"Content-Type": "application/x-www-form-urlencoded"},
                           verify=ca, cert=tuple(own) or None, timeout=20)
except RequestException as error:
    sys.exit(str(error))
print(f"HTTP/1.1 {answer.status_code}\r\n\r\n{answer.text}")
