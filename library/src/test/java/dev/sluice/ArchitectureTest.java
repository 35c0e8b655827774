package dev.sluice;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** Keeps the doors between the rooms of the library, and the dangerous tools in their cupboard. */
class ArchitectureTest {

    /** From the ground up: a room may use the rooms before it. */
    private static final List<String> ROOMS = List.of(
            "dev.sluice.io",
            "dev.sluice.internal.linux",
            "dev.sluice.internal.fd",
            "dev.sluice.loop",
            "dev.sluice.pipe",
            "dev.sluice.file",
            "dev.sluice.net",
            "dev.sluice.send",
            "dev.sluice.ring",
            "dev.sluice");

    private static final String LINKER = "java.lang.foreign.Linker";

    private static final JavaClasses LIBRARY = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_JARS)
            .importPackages("dev.sluice");

    @Test
    void theLibraryIsRead() {
        // A class file the importer cannot parse is only logged, and every rule would hold for no classes at all.
        assertThat(LIBRARY).isNotEmpty();
    }

    @Test
    void everyClassLivesInARoom() {
        Set<String> homeless = new TreeSet<>();
        for (JavaClass type : LIBRARY) {
            if (!ROOMS.contains(type.getPackageName())) {
                homeless.add(type.getName());
            }
        }
        assertThat(homeless)
                .as("classes in no room: move them, or give their package a place in ROOMS")
                .isEmpty();
    }

    @Test
    void aRoomUsesOnlyTheRoomsBeforeIt() {
        Set<String> forbidden = new TreeSet<>();
        for (JavaClass type : LIBRARY) {
            int room = ROOMS.indexOf(type.getPackageName());
            for (var dependency : type.getDirectDependenciesFromSelf()) {
                JavaClass target = dependency.getTargetClass().getBaseComponentType();
                if (ROOMS.indexOf(target.getPackageName()) > room) {
                    forbidden.add(dependency.getDescription());
                }
            }
        }
        assertThat(forbidden).as("uses of a room further up").isEmpty();
    }

    @Test
    void onlyTheLinuxRoomSeesTheLinker() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.sluice.internal.linux")
                .should()
                .dependOnClassesThat(named(name -> name.equals(LINKER) || name.startsWith(LINKER + "$")))
                .because("the native layer is one room")
                .allowEmptyShould(true)
                .check(LIBRARY);
    }

    @Test
    void noCallIsCritical() {
        noClasses()
                .should()
                .accessTargetWhere(target(LINKER + "$Option", "critical"))
                .because("a critical call holds up every safepoint while the kernel sleeps")
                .allowEmptyShould(true)
                .check(LIBRARY);
    }

    @Test
    void nothingIsForcedOpen() {
        noClasses()
                .should()
                .dependOnClassesThat(named(Set.of("sun.misc.Unsafe", "jdk.internal.misc.Unsafe")::contains))
                .orShould()
                .accessTargetWhere(memberNamed("setAccessible"))
                .orShould()
                .accessTargetWhere(memberNamed("trySetAccessible"))
                .because("the library keeps the platform's integrity by default")
                .allowEmptyShould(true)
                .check(LIBRARY);
    }

    private static DescribedPredicate<JavaClass> named(Predicate<String> name) {
        return DescribedPredicate.describe("of those names", type -> name.test(type.getName()));
    }

    private static DescribedPredicate<JavaAccess<?>> target(String owner, String member) {
        return DescribedPredicate.describe(
                owner + "." + member,
                access -> access.getTargetOwner().getName().equals(owner)
                        && access.getTarget().getName().equals(member));
    }

    private static DescribedPredicate<JavaAccess<?>> memberNamed(String member) {
        return DescribedPredicate.describe(
                member, access -> access.getTarget().getName().equals(member));
    }
}
