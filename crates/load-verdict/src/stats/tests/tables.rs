//! Values computed by other programs: mpmath 1.4.1 (60 digits, sums of binomial probabilities or `betainc`) and scipy 1.17.1
//! (`scipy.stats.beta.ppf`, `binom`, `t`), on 2026-11-22.

use crate::stats::{beta, binomial, order, proportion};

fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let error = (found / expected - 1.0).abs();
    assert!(
        error <= tolerance,
        "{what}: {found:e}, expected {expected:e}, relative error {error:e}"
    );
}

#[test]
fn incomplete_beta_is_mpmaths() {
    // a, b, x, I_x(a, b), 1 - I_x(a, b); 0 where it was not computed.
    let table = [
        (0.5, 0.5, 0.3, 0.369_010_119_565_545_38, 0.630_989_880_434_454_62),
        (12.5, 300.25, 0.01, 4.360_403_934_667_877_1e-5, 0.999_956_395_960_653_32),
        (7.3, 41.9, 0.2, 0.847_630_557_005_417_79, 0.152_369_442_994_582_21),
        (1.0, 20.0, 0.003, 0.058_320_391_294_384_674, 0.941_679_608_705_615_33),
        (0.7, 13.2, 0.5, 0.999_954_789_149_489_48, 4.521_085_051_066_465_4e-5),
        (59.0, 1.0, 0.95, 0.048_494_525_249_423_104, 0.951_505_474_750_576_9),
        (
            795.0,
            14_206.0,
            0.05,
            0.048_714_915_212_197_218,
            0.951_285_084_787_802_78,
        ),
        (
            750.0,
            14_251.0,
            0.05,
            0.505_231_001_313_296_88,
            0.494_768_998_686_703_12,
        ),
        (708.0, 14_293.0, 0.05, 0.0, 0.054_675_956_054_761_841),
        (
            50_100.0,
            949_900.0,
            0.05,
            0.323_723_590_794_508_83,
            0.676_276_409_205_491_1,
        ),
        (50_011_337.0, 949_988_664.0, 0.05, 0.050_001_902_017_999_053, 0.0),
        (49_988_663.0, 950_011_338.0, 0.05, 0.0, 0.049_979_282_796_266_918),
        (1_000_520.0, 998_999_481.0, 0.001, 0.301_573_120_259_153_81, 0.0),
        (
            500_000_000.0,
            500_000_001.0,
            0.5,
            0.500_012_615_662_606_95,
            0.499_987_384_337_393_04,
        ),
        (300.0, 99_701.0, 0.001, 1.489_304_388_152_865_2e-58, 1.0),
    ];
    for (a, b, x, lower, upper) in table {
        let found = beta::tails(a, b, x);
        let what = format!("I_{x}({a}, {b})");
        for (found, ln_found, expected) in [
            (found.lower, found.ln_lower, lower),
            (found.upper, found.ln_upper, upper),
        ] {
            if expected > 0.0 {
                assert_close(found, expected, 1e-10, &what);
                assert!((ln_found - expected.ln()).abs() < 1e-10, "{what}: logarithm");
            }
        }
    }
}

#[test]
fn ends_of_the_incomplete_beta_are_exact() {
    for (a, b, x, lower) in [
        (2.0, 3.0, 0.0, 0.0),
        (2.0, 3.0, 1.0, 1.0),
        (0.0, 3.0, 0.5, 1.0),
        (3.0, 0.0, 0.5, 0.0),
        (2.0, 3.0, -1.0, 0.0),
    ] {
        let found = beta::tails(a, b, x);
        assert_eq!((found.lower, found.upper), (lower, 1.0 - lower), "{a} {b} {x}");
    }
}

#[test]
fn clopper_pearson_is_scipys() {
    // k, n, upper, lower, each at one-sided 95 %.
    let table = [
        (0, 59, 0.049_507_609_888_226_93, 0.0),
        (0, 58, 0.050_339_338_330_420_105, 0.0),
        (1, 93, 0.049_993_978_387_988_317, 0.000_551_388_729_198_187_2),
        (5, 100, 0.102_253_377_643_274_5, 0.019_905_563_662_171_832),
        (312, 15_000, 0.022_820_401_957_236_32, 0.018_919_121_587_036_684),
        (745, 15_000, 0.052_683_107_596_718_515, 0.046_780_382_953_544_29),
        (50, 1_000_000, 6.328_665_364_259_592e-5, 3.896_492_809_647_248e-5),
        (
            50_000_000,
            1_000_000_000,
            0.050_011_337_833_023_466,
            0.049_988_664_090_414_85,
        ),
        (0, 1_000_000_000, 2.995_732_269_066_784_3e-9, 0.0),
    ];
    for (k, n, upper, lower) in table {
        assert_close(
            proportion::upper(n, k, 0.95, 1.0),
            upper,
            1e-8,
            &format!("upper {k}/{n}"),
        );
        if k == 0 {
            assert_eq!(proportion::lower(n, k, 0.95, 1.0), 0.0);
        } else {
            assert_close(
                proportion::lower(n, k, 0.95, 1.0),
                lower,
                1e-8,
                &format!("lower {k}/{n}"),
            );
        }
    }
    assert_eq!(proportion::upper(10, 10, 0.95, 1.0), 1.0);
    assert_eq!(proportion::upper(0, 0, 0.95, 1.0), 1.0);
    assert_eq!(proportion::lower(0, 0, 0.95, 1.0), 0.0);
}

#[test]
fn critical_counts_are_scipys() {
    // n, share, smallest that shows more, largest that shows less: at 95 %.
    let table = [
        (59, 0.05, 7, Some(0)),
        (58, 0.05, 7, None),
        (299, 0.01, 7, Some(0)),
        (298, 0.01, 7, None),
        (1_000, 0.05, 63, Some(38)),
        (15_000, 0.05, 795, Some(705)),
        (15_000, 0.01, 171, Some(129)),
        (1_000_000, 0.001, 1_053, Some(947)),
        (1_000_000_000, 0.05, 50_011_338, Some(49_988_663)),
    ];
    for (n, share, over, under) in table {
        assert_eq!(binomial::shows_over(n, share, 0.05), over, "over {share} of {n}");
        assert_eq!(
            binomial::shows_under(n, share, 0.05, 1.0),
            under,
            "under {share} of {n}"
        );
    }
    assert_eq!(binomial::shows_over(0, 0.05, 0.05), 1, "nothing shows nothing");
    assert_eq!(binomial::shows_over(1, 0.5, 0.05), 2, "not even all hits would do");
    assert_eq!(binomial::shows_under(0, 0.05, 0.05, 1.0), None);
}

#[test]
fn fewest_samples_are_the_known_ones() {
    for (share, confidence, n) in [
        (0.05, 0.95, 59),
        (0.01, 0.95, 299),
        (0.001, 0.95, 2_995),
        (0.1, 0.95, 29),
        (0.5, 0.95, 5),
        (0.05, 0.99, 90),
        (0.99, 0.95, 1),
    ] {
        assert_eq!(
            binomial::fewest_samples(share, 1.0 - confidence),
            n,
            "{share} at {confidence}"
        );
    }
}

#[test]
fn ranks_are_scipys() {
    for (n, q, low, high) in [
        (15_000, 0.95, 14_197, 14_303),
        (15_000, 0.5, 7_380, 7_621),
        (100, 0.95, 90, 100),
        (1_000, 0.99, 983, 997),
        (59, 0.95, 52, 60),
        (1, 0.5, 0, 2),
        (0, 0.5, 0, 1),
    ] {
        assert_eq!(order::ranks(n, q, 0.95), (low, high), "{q} of {n}");
    }
    assert_eq!(
        order::bounds(59, 0.95, 0.95, 1.0).high,
        Some(59),
        "59 samples bound p95 from above"
    );
    assert_eq!(order::bounds(58, 0.95, 0.95, 1.0).high, None);
    assert_eq!(
        (
            order::rank_of(15_000, 0.95),
            order::rank_of(1, 0.001),
            order::rank_of(0, 0.5)
        ),
        (14_250, 1, 0)
    );
}

#[test]
fn students_t_is_scipys() {
    for (freedom, five, one) in [
        (1.0, 6.313_751_514_675_037, 31.820_515_953_773_935),
        (2.0, 2.919_985_580_353_724_2, 6.964_556_734_283_271_5),
        (2.5, 2.558_218_614_135_915_5, 5.353_111_173_030_872),
        (9.0, 1.833_112_932_656_237, 2.821_437_925_025_809),
        (59.0, 1.671_093_032_103_894_6, 2.391_228_837_207_356_7),
    ] {
        assert_close(beta::student_t(freedom, 0.05), five, 1e-9, "t 5 %");
        assert_close(beta::student_t(freedom, 0.01), one, 1e-9, "t 1 %");
    }
    assert_close(beta::student_t(1e6, 0.025), 1.959_963_984_540_054, 1e-5, "normal");
}
