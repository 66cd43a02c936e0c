# plugins/balance/test.sh EXPECT RUNNER PLUGIN: what it says about its event.
# SPDX-License-Identifier: Apache-2.0
runner=$2
plugin=$3
. "$1"

expect 0 "info balance: balance available: amount=1500.25 currency=usd
info balance: balance available: amount=-0.05 currency=eur
info balance: balance available: amount=98125 currency=jpy
info balance: balance available: amount=1.500 currency=kwd
done"

expect 1 'fail: the event has no data.object.available' \
    's/"available"/"reserved"/'

expect 1 "info balance: balance available: amount=1500.25 currency=usd
fail: the balance has no data.object.available.1.currency" \
    's/"currency": "eur"/"currency": null/'

exit "$failures"
