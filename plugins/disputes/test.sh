# plugins/disputes/test.sh EXPECT RUNNER PLUGIN: what it says about its event.
# SPDX-License-Identifier: Apache-2.0
runner=$2
plugin=$3
. "$1"

disputed='a charge was disputed! id=du_1PegDisputesSample0001'
facts='reason=product_not_received amount=42.50 currency=eur'

# The last second of a day in UTC, wherever this runs.
for TZ in UTC Pacific/Auckland America/Los_Angeles; do
    export TZ
    expect 0 "warn disputes: $disputed $facts evidence_due=2026-01-09
done"
done

expect 0 "warn disputes: $disputed $facts evidence_due=none
done" 's/1768003199/null/'

expect 0 "warn disputes: $disputed $facts evidence_due=none
done" 's/1768003199/9223372036854775807/'

expect 1 'fail: the dispute has no id, amount or currency' 's/4250/null/'

exit "$failures"
