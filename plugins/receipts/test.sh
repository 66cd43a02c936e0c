# plugins/receipts/test.sh EXPECT RUNNER PLUGIN: what it says about its events.
# SPDX-License-Identifier: Apache-2.0
runner=$2
plugin=$3
. "$1"

paid='PaymentIntent was successful! id=pi_3PegReceiptsSample0001'

expect 0 "info receipts: $paid amount=1099.00 currency=usd
done"

expect 0 "info receipts: hello $paid amount=1099.00 currency=usd
done" '' --option greeting=hello

expect 0 "info receipts: $paid amount=109900 currency=jpy
done" 's/"usd"/"jpy"/'

expect 1 'fail: the PaymentIntent has no id, amount or currency' \
    's/109900/109900.5/'

expect 0 skip 's/payment_intent.succeeded/payment_intent.created/'

event=attached.json
attached='PaymentMethod was attached to a Customer!'
expect 0 "info receipts: $attached id=pm_1PegReceiptsSample0002 customer=cus_PegSample0002
done"

expect 0 "info receipts: $attached id=pm_1PegReceiptsSample0002 customer=none
done" 's/"cus_PegSample0002"/null/'

exit "$failures"
